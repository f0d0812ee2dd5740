/** Exits 0 when the service on $PORT says that it is well. */
const answer = await fetch(`http://127.0.0.1:${process.env.PORT}/health`);
process.exitCode = answer.ok ? 0 : 1;
