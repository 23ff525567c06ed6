/**
 * What `work` gives, and the last text in which it found JSON: middleware that takes its session out of a
 * cookie tells nobody what it read there.
 */
export function parsing(work) {
  const parse = JSON.parse;
  let json = null;
  JSON.parse = (text, reviver) => {
    const value = parse(text, reviver);
    json = text;
    return value;
  };
  try {
    const result = work();
    return { result, json };
  } finally {
    JSON.parse = parse;
  }
}
