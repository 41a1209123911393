// The gateway under test, as `tests/support/browser/node.py` names it, and how a script tells the test what it saw.

export const url = process.env.GATEWAY_URL;
export const token = process.env.GATEWAY_TOKEN;
export const authorization = `Bearer ${token}`;

export function report(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** A request to the REST API, as another program sends it. */
export async function rest(method, path, body) {
  const headers = { authorization, 'content-type': 'application/json' };
  const answer = await fetch(`${url}/api/backup-destinations${path}`, { method, headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`REST answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()).data;
}

/** Wait until something is so; the test's own deadline is the limit. */
export async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Have the test do something, such as restarting the gateway, and wait until it is done. */
export async function act(name) {
  report({ act: name });
  await new Promise((resolve) => process.stdin.resume().once('data', resolve));
  process.stdin.pause();
}
