// Runs the public audits of GraphQL over HTTP, one line each; with a token when there is one.
import { serverAudits } from 'graphql-http';
import { report, token, url } from './gateway.mjs';

const fetchFn = (input, init = {}) => {
  const headers = new Headers(init.headers);
  if (token) headers.set('authorization', `Bearer ${token}`);
  return fetch(input, { ...init, headers });
};

for (const audit of serverAudits({ url: `${url}/graphql`, fetchFn })) {
  const { id, name, status, reason = null } = await audit.fn();
  report({ id, name, status, reason });
}
