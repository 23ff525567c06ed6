/** `{ p50, p99, max }`, in whole milliseconds. */
export function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Rows of equal keys, as a table on stdout. */
export function printTable(rows) {
  const keys = Object.keys(rows[0]);
  const lines = [keys, ...rows.map((row) => keys.map((key) => `${row[key]}`))];
  const widths = keys.map((_, n) => Math.max(...lines.map((line) => line[n].length)));
  for (const line of lines) {
    const cells = line.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]) : cell.padStart(widths[n])));
    console.log(cells.join('  ').trimEnd());
  }
}
