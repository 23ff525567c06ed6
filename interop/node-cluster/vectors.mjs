// Writes what the real packages publish, for the Rust tests: node node-cluster/vectors.mjs
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { Emitter } from "@socket.io/redis-emitter";

const require = createRequire(import.meta.url);
const legacy = require("socket.io-emitter");
const requireOf = (name) => createRequire(require.resolve(name));
const notepack3 = requireOf("@socket.io/redis-emitter")("notepack.io");
const notepack2 = requireOf("socket.io-emitter")("notepack.io");

const version = (name, from = require) => {
  const main = from.resolve(name);
  const folder = main.slice(0, main.lastIndexOf(`/node_modules/${name}/`));
  return JSON.parse(readFileSync(`${folder}/node_modules/${name}/package.json`, "utf8")).version;
};

const values = {
  "small integers": [0, 1, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296],
  "negative integers": [-1, -32, -33, -128, -129, -32768, -32769, -2147483648, -2147483649],
  "integers at the edge": [2 ** 40, 2 ** 53 - 1, 2 ** 53, 2 ** 63, -(2 ** 53), -(2 ** 53 - 1), 2 ** 64],
  "fractions": [0.5, -1.5, 1e-7, 5e-324],
  "numbers that JSON has not": [NaN, Infinity, -Infinity, -0],
  "texts": ["", "a", "é", "😀", "x".repeat(31), "x".repeat(32), "x".repeat(256), "x".repeat(3000)],
  "a half of a surrogate pair at the end": "a\ud800",
  "halves of surrogate pairs in a long text": `${"x".repeat(40)}\ud800${"y".repeat(40)}\udc00`,
  "undefined": [undefined, { a: undefined, b: null }],
  "booleans and null": [true, false, null],
  "dates": [0, 1, -1, 1.7e12 + 123, 2 ** 32 * 1000, 2 ** 34 * 1000, -62198755200000, 8.64e15]
    .map((millis) => new Date(millis)),
  "buffers": [Buffer.from([]), Buffer.from([1, 2]), Buffer.alloc(256, 7), Buffer.alloc(3000, 7)],
  "typed arrays": [new Uint8Array([1, 2, 3]), new Uint16Array([1, 2]), new Float32Array([1.5])],
  "array buffers": [0, 1, 2, 4, 8, 12, 16, 300].map((length) => new Uint8Array(length).fill(5).buffer),
  "nested": { a: [{ b: { c: [[], {}, [Buffer.from([9])]] } }], "": 1, "__proto__x": 2 },
  "long arrays and maps": [
    Array.from({ length: 16 }, (_, i) => i),
    Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, i])),
  ],
};

// As a client receives it, with bytes as Buffers.
const received = (value) => {
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(received);
  if (value === null || typeof value !== "object" || value instanceof Date) return value;
  if (Buffer.isBuffer(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, received(inner)]));
};

const notepack = [];
for (const [what, value] of Object.entries(values)) {
  for (const [package_, name] of [[notepack3, "3"], [notepack2, "2"]]) {
    const bytes = package_.encode(value);
    const json = JSON.stringify(received(notepack3.decode(bytes)));
    notepack.push({ what, notepack: name, hex: bytes.toString("hex"), json });
  }
}

const published = [];
let what;
const client = {
  hset() {},
  publish(channel, message) {
    const bytes = Buffer.isBuffer(message) ? message : Buffer.from(message);
    published.push({ what, channel, hex: bytes.toString("hex") });
  },
};
const emitter = new Emitter(client);
const older = legacy(client);
const data = [{ a: 1, b: undefined }, new Date(0), Buffer.from([1, 2]), undefined, 1.5, -1, 2 ** 40];
const calls = {
  "all": () => emitter.emit("hi"),
  "room": () => emitter.to("user:42").emit("news", ...data),
  "rooms": () => emitter.to(["a", "b"]).except("c").volatile.compress(false).emit("x"),
  "except": () => emitter.except(["c", 7]).emit("x"),
  "namespace": () => emitter.of("chat").to("r#1").emit("x"),
  "number": () => emitter.to(7).emit("x"),
  "join": () => emitter.in("a").socketsJoin(["b", "c"]),
  "join number": () => emitter.socketsJoin(7),
  "leave": () => emitter.socketsLeave("b"),
  "disconnect": () => emitter.in("user:42").disconnectSockets(true),
  "leave namespace": () => emitter.except("a").disconnectSockets(),
  "server": () => emitter.serverSideEmit("ev", 1, { z: 2, at: new Date(0), b: Buffer.from([1]) }),
  "half a pair": () => emitter.socketsJoin("\ud800"),
  "legacy all": () => older.emit("hi"),
  "legacy room": () => older.to("user:42").emit("news", ...data),
  "legacy rooms": () => older.of("/chat").in("a").to("b").volatile.emit("x"),
};
for (const [name, call] of Object.entries(calls)) {
  what = name;
  call();
}

const file = new URL("../../crates/node-cluster/vectors/packages.json", import.meta.url);
const versions = {
  "@socket.io/redis-emitter": version("@socket.io/redis-emitter"),
  "socket.io-emitter": version("socket.io-emitter"),
  "notepack.io 3": version("notepack.io", requireOf("@socket.io/redis-emitter")),
  "notepack.io 2": version("notepack.io", requireOf("socket.io-emitter")),
};
const lines = (list) => `[\n    ${list.map((item) => JSON.stringify(item)).join(",\n    ")}\n  ]`;
writeFileSync(file, `{
  "versions": ${JSON.stringify(versions)},
  "notepack": ${lines(notepack)},
  "published": ${lines(published)}
}
`);
