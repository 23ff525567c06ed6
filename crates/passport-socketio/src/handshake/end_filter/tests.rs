use super::*;

const NOTICE: SessionEnded = SessionEnded { code: "logged_out", reconnect: false };

fn begun(namespaces: &[&str]) -> EndFilter {
    let ends = EndFilter::default();
    for namespace in namespaces {
        ends.begin(namespace, NOTICE, Posts::Discarded);
    }
    ends
}

fn notice(prefix: &str) -> String {
    format!(r#"42{prefix}["session_ended",{{"code":"logged_out","reconnect":false}}]"#)
}

/// What of these packets passes.
fn passing<'p>(ends: &EndFilter, packets: &[&'p str]) -> Vec<&'p str> {
    let mut filter = PacketFilter::default();
    let passes = |packet: &&&str| match packet.strip_prefix('b') {
        Some(data) => filter.binary(ends, data.as_bytes()),
        None => filter.text(ends, packet.as_bytes()),
    };
    packets.iter().filter(passes).copied().collect()
}

/// A frame of a server.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ ..126 => frame.push(u8::try_from(short).unwrap()),
        medium @ ..0x1_0000 => {
            frame.push(126);
            frame.extend(u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            frame.push(127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

#[test]
fn only_the_disconnect_passes_after_the_notice() {
    let (main, lobby) = (notice(""), notice("/lobby,"));
    let other = r#"42["session_ended",{"code":"of the app's own"}]"#;
    let packets = [
        "42[\"before\"]",
        "451-/lobby,[\"before\"]",
        "bdata",
        other,
        &main,
        "42[\"late\"]",
        "4312[]",
        "451-[\"late\"]",
        "bdata",
        "42/lobby,[\"before\"]",
        &lobby,
        "461-/lobby,7[]",
        "bdata",
        "42/lobby-two,[1]",
        "41",
        "437[]",
        "41",
        "2",
        "6",
        "1",
        "41/lobby,",
    ];
    let expected = [
        "42[\"before\"]",
        "451-/lobby,[\"before\"]",
        "bdata",
        other,
        &main,
        "42/lobby,[\"before\"]",
        &lobby,
        "42/lobby-two,[1]",
        "41",
        "2",
        "6",
        "1",
        "41/lobby,",
    ];
    assert_eq!(passing(&begun(&["/", "/lobby"]), &packets), expected);
}

#[test]
fn nothing_passes_after_the_apps_disconnect_until_the_next_connect() {
    let main = notice("");
    let packets = ["41", "431[]", "40{\"sid\":\"a\"}", "42[1]", &main, "42[2]", "41", "42[3]"];
    let expected = ["41", "40{\"sid\":\"a\"}", "42[1]", &main, "41"];
    assert_eq!(passing(&begun(&["/"]), &packets), expected);
}

#[test]
fn packets_pass_again_after_the_client_is_admitted_again() {
    let main = notice("");
    let refused = "44{\"message\":\"banned\"}";
    let packets = [&*main, "41", "42[1]", refused, "42[2]", "40{\"sid\":\"a\"}", "42[3]", "41"];
    let expected = [&*main, "41", refused, "40{\"sid\":\"a\"}", "42[3]", "41"];
    assert_eq!(passing(&begun(&["/"]), &packets), expected);
}

#[test]
fn frames_are_filtered_in_pieces_of_any_size() {
    let long = format!("42[\"{}\"]", "x".repeat(70_000));
    let medium = format!("42[\"{}\"]", "x".repeat(300));
    let main = notice("");
    let before = [frame(TEXT, medium.as_bytes()), frame(TEXT, long.as_bytes())].concat();
    let passing =
        [frame(TEXT, main.as_bytes()), frame(TEXT, b"41"), frame(9, b""), frame(8, b"bye")];
    let stream = [
        &before,
        &passing[0],
        &frame(TEXT, long.as_bytes()),
        &passing[1],
        &frame(TEXT, b"451-[1]"),
        &frame(BINARY, b"attached"),
        &passing[2],
        &frame(TEXT, medium.as_bytes()),
        &passing[3],
    ];
    let stream: Vec<u8> = stream.into_iter().flatten().copied().collect();
    let expected = [before.clone(), passing.concat()].concat();
    for piece in [1, 2, 3, 7, 1000, stream.len()] {
        // The login ends at any byte of what was written before the notice.
        for end in [0, 1, 2, 3, 4, 100, 308, 309, 312, 320, 5000, before.len()] {
            let (mut outgoing, mut written) = (Outgoing::default(), Vec::<u8>::new());
            let (untouched, filtered) = stream.split_at(end);
            for bytes in untouched.chunks(piece) {
                outgoing.wrote(bytes);
                written.extend(bytes);
            }
            let ends = begun(&["/"]);
            for bytes in filtered.chunks(piece) {
                outgoing.take(&ends, bytes);
                written.extend(outgoing.passed());
                outgoing.sent(outgoing.passed().len());
            }
            assert!(written == expected, "pieces of {piece}, ended at {end}");
        }
    }
}

const TEXT: u8 = 1;
const BINARY: u8 = 2;

#[test]
fn payloads_are_filtered_in_all_encodings() {
    let main = notice("");
    let payload = [&main, "451-[\"é𝕊\"]", "bAQID", "41", "42/other,[\"é𝕊\"]", "437[]"];
    let kept = [&main, "41", "42/other,[\"é𝕊\"]"];
    let version_4 = payload.join("\x1e");
    assert_eq!(filtered(version_4.as_bytes(), &begun(&["/"]), false), kept.join("\x1e"));

    let text = |packets: &[&str]| {
        let packet = |packet: &&str| format!("{}:{packet}", packet.encode_utf16().count());
        packets.iter().map(packet).collect::<Vec<_>>().concat()
    };
    let payload = [&main, "451-[\"é𝕊\"]", "b4AQID", "41", "42/other,[\"é𝕊\"]", "437[]"];
    let version_3 = text(&payload);
    assert_eq!(filtered(version_3.as_bytes(), &begun(&["/"]), true), text(&kept));

    let binary = |kind: u8, packet: &[u8]| {
        let digits = packet.len().to_string().bytes().map(|digit| digit - b'0').collect();
        [vec![kind], digits, vec![0xff], packet.to_vec()].concat()
    };
    let late = [binary(0, b"452-[\"late\"]"), binary(1, &[4, 1, 2, 3]), binary(0, b"bU0VDUkVU")];
    let late = late.concat();
    let kept = kept.map(|packet| binary(0, packet.as_bytes())).concat();
    let (first, rest) = kept.split_at(binary(0, main.as_bytes()).len());
    let payload = [first, &late, rest, &binary(0, b"437[]")].concat();
    assert_eq!(filtered(&payload, &begun(&["/"]), true), kept);
}

#[test]
fn a_payload_without_passing_packets_becomes_a_noop() {
    let ends = begun(&["/"]);
    assert_eq!(passing(&ends, &[&notice("")]).len(), 1);
    assert_eq!(filtered(b"42[1]", &ends, false), "6");
    assert_eq!(filtered(b"5:42[1]", &ends, true), "1:6");
    assert_eq!(filtered(b"99:42[1]", &ends, true), "1:6");
    let noop = &b"\x00\x01\xff6"[..];
    assert_eq!(filtered(b"\x00\x05\xff42[1]", &ends, true), noop);
    assert_eq!(filtered(b"\x00\x09\xff42[1]", &ends, true), noop);
    assert_eq!(filtered(b"", &ends, false), "");
}

#[test]
fn msgpack_packets_are_filtered_over_both_transports() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    // As socketioxide writes it: type and namespace first.
    let packet = |kind: u8, namespace: &str, more: Value| {
        let head = [&[0x83][..], b"\xa4type", &[kind], b"\xa3nsp"].concat();
        let namespace = rmp_serde::to_vec(namespace).unwrap();
        [head, namespace, rmp_serde::to_vec("data").unwrap(), rmp_serde::to_vec(&more).unwrap()]
            .concat()
    };
    let long = format!("/{}", "n".repeat(40));
    let ended = json!(["session_ended", {"code": "logged_out", "reconnect": false}]);
    for namespace in ["/", "/lobby", &long] {
        let packets = [
            (packet(2, namespace, json!(["before"])), true),
            (packet(2, namespace, ended.clone()), true),
            (packet(3, namespace, json!(["late"])), false),
            (packet(2, "/other", json!(["late"])), true),
            (packet(1, namespace, json!(null)), true),
            (packet(5, namespace, json!(["late"])), false),
        ];
        let ends = begun(&[namespace]);
        let mut filter = PacketFilter::default();
        for (packet, passes) in &packets {
            assert_eq!(filter.binary(&ends, packet), *passes, "{namespace}");
        }
        for version_3 in [false, true] {
            let ends = begun(&[namespace]);
            for (packet, passes) in &packets {
                let base64 = STANDARD.encode(packet);
                let payload = if version_3 {
                    format!("{}:b4{base64}", 2 + base64.len())
                } else {
                    format!("b{base64}")
                };
                let written = filtered(payload.as_bytes(), &ends, version_3);
                assert_eq!(written == payload, *passes, "{namespace} {version_3}");
            }
        }
    }
}

#[test]
fn posts_pass_wait_or_are_dropped() {
    let ends = EndFilter::default();
    let handling = ends.handle().unwrap();
    assert!(!ends.is_quiet());
    ends.begin("/", NOTICE, Posts::Wait);
    assert!(!ends.is_quiet(), "socketioxide is still at work");
    drop(handling);
    assert!(ends.is_quiet());
    assert_eq!(ends.handle().err(), Some(Posts::Wait));
    assert_eq!(passing(&ends, &["41"]).len(), 1);
    assert!(ends.handle().is_ok(), "the disconnect is on its way");
    ends.begin("/lobby", NOTICE, Posts::Discarded);
    ends.begin("/", NOTICE, Posts::Wait);
    ends.stop_waiting();
    assert_eq!(ends.handle().err(), Some(Posts::Discarded));
    ends.is_cut();
    assert!(ends.handle().is_ok() && ends.is_quiet());
}
