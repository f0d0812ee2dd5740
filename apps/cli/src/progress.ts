/** What long-running commands tell a person while they run; standard output stays for results. */
export function narrate(text: string): void {
  const time = new Date().toTimeString().slice(0, 8);
  process.stderr.write(`${time}  ${text}\n`);
}
