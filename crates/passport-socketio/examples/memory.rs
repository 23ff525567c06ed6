//! What an idle WebSocket costs: resident memory of a server for each, without us, with the connect
//! middleware alone, and with each of our layers. `./scripts/memory` runs it.
//!
//! ```sh
//! cargo run --release -p passport-socketio --example memory -- 4000
//! ```
//!
//! The server is a process of its own. Its clients send what a browser does, with 1 KiB of cookies, and
//! then nothing more.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use express_session::cookie::Signer;
use passport_socketio::Authorizer;
use passport_socketio::store::{Life, MemoryStore};
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use tokio::net::TcpListener;

type BoxError = Box<dyn std::error::Error>;

const SECRET: &str = "keyboard cat";
const SERVERS: [(&str, &str); 4] = [
    ("host", "the host alone"),
    ("gate", "with the connect middleware"),
    ("layer", "with auth.layer()"),
    ("over", "with auth.layer_over(layer)"),
];
/// The host's buffers, and ours, come to rest.
const SETTLE: Duration = Duration::from_secs(2);

#[expect(clippy::print_stdout, reason = "numbers are what it is for")]
fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, server] = arguments.as_slice()
        && command == "serve"
    {
        return serve(server);
    }
    let count = arguments.first().map_or(Ok(4000), |count| count.parse())?;
    println!("resident memory for each of {count} idle WebSockets, in KiB");
    for (server, name) in SERVERS {
        let each = measure(server, count)?;
        println!("{name:<30}{each:>6.1}");
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "it is printed")]
fn measure(server: &str, count: usize) -> Result<f64, BoxError> {
    let program = std::env::current_exe()?;
    let child = Command::new(program).args(["serve", server]).stdout(Stdio::piped()).spawn()?;
    let mut child = Running(child);
    let mut address = String::new();
    let output = child.0.stdout.take().ok_or("no output")?;
    BufReader::new(output).read_line(&mut address)?;
    let address: SocketAddr = address.trim().parse()?;
    // What is allocated once shall not count.
    drop(connect(address)?);
    std::thread::sleep(SETTLE);
    let before = resident_kib(child.0.id())?;
    let sockets = (0..count).map(|_| connect(address)).collect::<Result<Vec<_>, _>>()?;
    std::thread::sleep(SETTLE);
    let after = resident_kib(child.0.id())?;
    drop(sockets);
    Ok((after - before) as f64 / count as f64)
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn resident_kib(process: u32) -> Result<u64, BoxError> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// A browser's WebSocket that has joined the main namespace.
fn connect(address: SocketAddr) -> Result<TcpStream, BoxError> {
    let session = Signer::new([SECRET])?.cookie_pair("connect.sid", "ann");
    let others = "a".repeat(1024 - session.len());
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    // In one packet, as browsers send it.
    let request = format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n\
         Host: {address}\r\n\
         Connection: Upgrade\r\n\
         Pragma: no-cache\r\n\
         Cache-Control: no-cache\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
         Chrome/148.0.0.0 Safari/537.36\r\n\
         Upgrade: websocket\r\n\
         Origin: http://{address}\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Accept-Encoding: gzip, deflate, br, zstd\r\n\
         Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
         Cookie: {session}; others={others}\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    read_until(&mut stream, b"\"sid\"")?;
    // CONNECT, and the answer to the first ping; the mask is zero.
    stream.write_all(b"\x81\x82\0\0\0\x0040\x81\x81\0\0\0\x003")?;
    read_until(&mut stream, b"40{\"sid\"")?;
    Ok(stream)
}

fn read_until(stream: &mut TcpStream, end: &[u8]) -> Result<(), BoxError> {
    let (mut read, mut chunk) = (Vec::new(), [0; 1024]);
    while !read.windows(end.len()).any(|window| window == end) {
        match stream.read(&mut chunk)? {
            0 => return Err("the server hung up".into()),
            count => read.extend_from_slice(chunk.get(..count).unwrap_or_default()),
        }
    }
    Ok(())
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "whoever started this waits for it")]
async fn serve(server: &str) -> Result<(), BoxError> {
    let store = MemoryStore::for_tests();
    store.set("ann", r#"{"cookie":{},"passport":{"user":42}}"#, Life::Forever);
    let auth = Authorizer::<i64>::builder()
        .secret(SECRET)
        .store(store)
        .deserialize_user(async |id: i64| Ok::<_, Infallible>(Some(id)))
        .build()?;
    // One ping at the start, and then none.
    let builder = SocketIo::builder().ping_interval(Duration::from_secs(3600));
    let builder = builder.max_payload(1_000_000).ws_max_message_size(1_000_000);
    let (layer, io) = builder.ws_max_frame_size(1_000_000).build_layer();
    match server {
        "host" => io.ns("/", ignore),
        _ => io.ns("/", ignore.with(auth.required())),
    }
    let app: Router = match server {
        "over" => Router::new().layer(auth.layer_over(layer)),
        "layer" => Router::new().layer(layer).layer(auth.layer()),
        _ => Router::new().layer(layer),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

async fn ignore() {}
