// The form that meets a conflict, with Apollo and with urql, in React's StrictMode.
import { makeRoot, press, type } from './dom.js';
import { readFileSync } from 'node:fs';
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { ApolloProvider, useMutation as useApolloMutation } from '@apollo/client/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Client, Provider, cacheExchange, fetchExchange, useMutation as useUrqlMutation } from 'urql';
import { authorization, report, rest, until, url } from '../gateway.mjs';
import { LabelForm, UPDATE } from './form.js';

const possibleTypes = JSON.parse(readFileSync(new URL('../../possibleTypes.json', import.meta.url)));
const OPTIONS = { url: `${url}/graphql`, uri: `${url}/graphql`, headers: { authorization } };
const apollo = new ApolloClient({ link: new HttpLink(OPTIONS), cache: new InMemoryCache({ possibleTypes }) });
const urql = new Client({
  ...OPTIONS,
  preferGetMethod: false,
  fetchOptions: { headers: OPTIONS.headers },
  exchanges: [cacheExchange, fetchExchange],
});
const SHOW = `query Show($id: ID!) { backupDestination(id: $id) { id label version } }`;

function WithApollo(props) {
  const [mutate] = useApolloMutation(gql(UPDATE));
  const update = async (variables) => (await mutate({ variables })).data.updateBackupDestination;
  return <LabelForm {...props} update={update} />;
}

function WithUrql(props) {
  const [, mutate] = useUrqlMutation(UPDATE);
  const update = async (variables) => (await mutate(variables)).data.updateBackupDestination;
  return <LabelForm {...props} update={update} />;
}

const CLIENTS = {
  apollo: (form) => <ApolloProvider client={apollo}><WithApollo {...form} /></ApolloProvider>,
  urql: (form) => <Provider value={urql}><WithUrql {...form} /></Provider>,
};

for (const [client, page] of Object.entries(CLIENTS)) {
  for (const choice of ['Save mine nevertheless', 'Show the new values']) {
    const { id: number } = await rest('POST', '', { label: 'First', type: 'local' });
    const { data } = await urql.query(SHOW, { id: `BackupDestination:${number}` }).toPromise();
    const main = makeRoot();
    const root = createRoot(main);
    let done;
    const form = { destination: data.backupDestination, onDone: (saved) => { done = saved.label; } };
    root.render(<StrictMode>{page(form)}</StrictMode>);

    await rest('PUT', `/${number}`, { label: 'Theirs' });
    await type(main, 'Mine');
    await press(main, 'Save');
    await until(() => main.querySelector('[role=alert]'));
    const seen = main.querySelector('[role=alert] + p').textContent;
    const stored = (await rest('GET', `/${number}`)).label;
    await press(main, choice);
    if (choice === 'Show the new values') {
      await until(() => main.querySelector('input').value === 'Theirs');
      await press(main, 'Save');
    }
    await until(() => done);
    report({ client, choice, seen, stored, saved: done, is: (await rest('GET', `/${number}`)).label });
    root.unmount();
  }
}
apollo.stop();
process.exit();
