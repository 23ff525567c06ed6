/**
 * The smallest case that is as wrong as this one: parts are left out as long as `stayWrong` says, of many
 * cases at once, which of them are. A kind may give `smallerToo`: smaller cases that random cuts do not
 * find.
 */
export async function shrunk(testCase, stayWrong, smallerToo = () => []) {
  let smallest = testCase;
  for (;;) {
    const candidates = [smallerToo(smallest), smaller(smallest)];
    const found = await firstOf(allOf(candidates), stayWrong);
    if (found === undefined) return smallest;
    smallest = found;
  }
}

function* allOf(iterables) {
  for (const iterable of iterables) yield* iterable;
}

const AT_ONCE = 64;

async function firstOf(cases, stayWrong) {
  for (let batch = take(cases); batch.length > 0; batch = take(cases)) {
    const wrong = await stayWrong(batch);
    const first = wrong.indexOf(true);
    if (first >= 0) return batch[first];
  }
  return undefined;
}

function take(cases) {
  const batch = [];
  while (batch.length < AT_ONCE) {
    const { value, done } = cases.next();
    if (done) break;
    batch.push(value);
  }
  return batch;
}

/** Cases with one part less, the largest parts first. */
function* smaller(testCase) {
  const { secrets, headers, payload } = testCase;
  for (const at of headers.keys()) yield { ...testCase, headers: headers.toSpliced(at, 1) };
  for (const at of secrets.keys()) if (secrets.length > 1) yield { ...testCase, secrets: secrets.toSpliced(at, 1) };
  if (payload !== null) yield { ...testCase, payload: null };
  for (const [at, header] of headers.entries()) {
    const cookies = header.split(';');
    for (const gone of cookies.keys()) {
      if (cookies.length > 1) yield { ...testCase, headers: headers.with(at, cookies.toSpliced(gone, 1).join(';')) };
    }
  }
  for (const bytes of payload === null ? [] : shorter(payload)) yield { ...testCase, payload: bytes };
  for (const [at, header] of headers.entries()) {
    for (const text of shorter(header)) yield { ...testCase, headers: headers.with(at, text) };
  }
}

/** Of what is very large, no small stretches: there are too many. */
const STRETCHES = 1024;

/** A string or a buffer without one stretch of it. */
export function* shorter(whole) {
  const least = Math.max(whole.length / STRETCHES, 1);
  for (let length = whole.length; length >= least; length = Math.floor(length / 2)) {
    for (let from = 0; from + length <= whole.length; from += length) {
      const parts = [whole.slice(0, from), whole.slice(from + length)];
      yield typeof whole === 'string' ? parts.join('') : Buffer.concat(parts);
    }
  }
}
