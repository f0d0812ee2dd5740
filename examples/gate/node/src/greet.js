/** Greets whoever may be greeted. */
export function greet(name, { mayGreet }) {
  if (!mayGreet(name)) throw new Error('not allowed');
  return `Hello, ${name}!`;
}
