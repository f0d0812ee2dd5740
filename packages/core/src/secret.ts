/**
 * A value that must not leave by accident: printing, JSON, inspection and cloning give `[secret]`
 * (P-08). It leaves only where the code says `reveal`.
 */
const PLACEHOLDER = '[secret]';

export class Secret<T> {
  // A private field is invisible to inspection, spread, JSON and structured clone alike.
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The only way to the value. Call it where it is used, and pass it no further. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return PLACEHOLDER;
  }

  toJSON(): string {
    return PLACEHOLDER;
  }

  [Symbol.toPrimitive](): string {
    return PLACEHOLDER;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return PLACEHOLDER;
  }
}
