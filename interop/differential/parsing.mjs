/**
 * What `work` gives, or the error that it throws, and the last text in which it found JSON: middleware that
 * takes its session out of a cookie does not show what it read there.
 */
export async function parsing(work) {
  const parse = JSON.parse;
  let json = null;
  JSON.parse = (text, reviver) => {
    const value = parse(text, reviver);
    json = text;
    return value;
  };
  try {
    const result = await work();
    return { result, json };
  } catch (error) {
    return { error, json };
  } finally {
    JSON.parse = parse;
  }
}
