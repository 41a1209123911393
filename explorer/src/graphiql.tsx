// GraphiQL on this gateway: the editor with docs, history, tabs and the explorer, in the frame of the bar.
import './nonce';
import 'graphiql/setup-workers/vite';
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createRoot } from 'react-dom/client';
import { mountBar } from './bar';
import { createFetcher } from './fetcher';
import { nameWhatHasNoName } from './names';
import { SAMPLES } from './samples';
import { storage } from './storage';
import '@graphiql/react/style.css';
import 'graphiql/graphiql.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import '@graphiql/plugin-explorer/style.css';
import './graphiql.css';

const endpoint = new URL(location.pathname, location.origin);
const plugins = [HISTORY_PLUGIN, explorerPlugin()];

mountBar('graphiql', './');
createRoot(document.getElementById('page')!).render(
  <GraphiQL
    fetcher={createFetcher(endpoint)}
    storage={storage}
    defaultTabs={SAMPLES}
    plugins={plugins}
    shouldPersistHeaders={false}
    showPersistHeadersSettings={false}
    defaultEditorToolsVisibility="variables"
  >
    <GraphiQL.Logo>{null}</GraphiQL.Logo>
  </GraphiQL>,
);
nameWhatHasNoName();
