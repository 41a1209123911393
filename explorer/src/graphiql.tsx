// GraphiQL on this gateway: the editor with docs, history, tabs and the explorer, in the frame of the bar.
import './nonce';
import 'graphiql/setup-workers/vite';
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createRoot } from 'react-dom/client';
import { mountBar } from './bar';
import { createFetcher } from './fetcher';
import { mend, named } from './mend';
import { SAMPLES } from './samples';
import { storage } from './storage';
import { THEMES, defineThemes } from './themes';
import '@graphiql/react/style.css';
import 'graphiql/graphiql.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import '@graphiql/plugin-explorer/style.css';
import './graphiql.css';

const page = document.getElementById('page')!;
const endpoint = new URL(location.pathname, location.origin);
const plugins = [HISTORY_PLUGIN, explorerPlugin()];

mountBar('graphiql', './');
await defineThemes();
createRoot(page).render(
  <GraphiQL
    fetcher={createFetcher(endpoint)}
    storage={storage}
    defaultTabs={SAMPLES}
    editorTheme={THEMES}
    plugins={plugins}
    shouldPersistHeaders={false}
    showPersistHeadersSettings={false}
    defaultEditorToolsVisibility="variables"
  >
    <GraphiQL.Logo>{null}</GraphiQL.Logo>
  </GraphiQL>,
);
// A tab holds a button to close it, which nothing in a list of tabs may: it is a list of buttons, one of them current.
mend(page, [
  ['.graphiql-tabs[role]', (list) => list.removeAttribute('role')],
  [
    '.graphiql-tab[aria-selected]',
    (tab) => {
      tab.querySelector('button')?.setAttribute('aria-current', tab.getAttribute('aria-selected')!);
      tab.removeAttribute('aria-selected');
      tab.removeAttribute('role');
    },
  ],
  ['.graphiql-history-item-label[aria-label]', (item) => item.removeAttribute('aria-label')],
  named('select', 'Kind of operation'),
]);
