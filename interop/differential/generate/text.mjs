/** Text of all sorts, and small accidents that happen to it. */

const URL_SAFE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

export const urlSafe = (random, length) => random.text(length, () => URL_SAFE[random.below(64)]);

const printable = (random) => String.fromCharCode(random.between(0x20, 0x7e));
const latin1 = (random) => String.fromCharCode(random.between(0xa0, 0xff));
const BEYOND = ['☃', 'ż', 'ß', '\u2028', '\ufeff', '\u0301', '日', '😀', '𐍈', '\ufffd'];
const beyond = (random) => random.pick(BEYOND);

/** One character. Never half of a surrogate pair. */
export const anyCharacter = (random) => random.weighted([[12, printable], [3, latin1], [3, beyond]]);

export const anyText = (random, longest = 20) => random.text(random.below(longest + 1), anyCharacter);

/** What `decodeURIComponent` throws at. */
export const BROKEN_PERCENT = ['%', '%2', '%zz', '%C3', '%C0%80', '%ED%A0%80', '%FF', '%F4%90%80%80', '%u0041', '%%'];

/** The text with one part cut out, put in, replaced, or two neighbours exchanged. */
export function withAccident(random, text, replacement = anyCharacter) {
  const at = random.below(text.length + 1);
  const [before, after] = [text.slice(0, at), text.slice(at)];
  const damaged = random.weighted([
    [3, () => before + after.slice(1)],
    [3, () => before + replacement(random) + after],
    [3, () => before + replacement(random) + after.slice(1)],
    [1, () => before],
    [1, () => after],
    [1, () => before + after.slice(random.below(8))],
    [1, () => before + after.slice(1, 2) + after.slice(0, 1) + after.slice(2)],
    [1, () => before + before.slice(-random.between(1, 5)) + after],
  ]);
  // A cut may have gone through a surrogate pair, which no encoding can carry.
  return damaged.toWellFormed();
}
