/** A store that has one record, as text, whatever it is asked for: and knows what it was first asked for. */
export class OneRecord {
  asked = null;

  constructor(text) {
    this.text = text;
  }

  get(key) {
    this.asked ??= key;
    return this.text;
  }

  set(text) {
    this.text = text;
  }

  destroy() {
    this.text = undefined;
  }
}
