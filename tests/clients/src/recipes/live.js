// What a page shows while another client writes, its socket is cut, the gateway restarts, and it is mounted again.
import { createRoot } from 'react-dom/client';
import WebSocket from 'ws';
import { act, authorization, report, rest, until, url } from '../gateway.mjs';
import { makeRoot } from './dom.js';
import { createStreams } from './streams.js';

const FIRST = 2;
const sockets = new Set();

class Watched extends WebSocket {
  constructor(...given) {
    super(...given);
    sockets.add(this);
  }
}

/** The streams, with the ids of the events that they gave to a client. */
export function watchedStreams() {
  const heard = [];
  const streams = createStreams({
    url: `${url.replace('http', 'ws')}/graphql`,
    connectionParams: { authorization },
    webSocketImpl: Watched,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 100)),
  });
  function subscribe(payload, sink) {
    return streams.subscribe(payload, {
      next(result) {
        heard.push(result.data?.backupDestinationEvents.id ?? result.errors);
        sink.next(result);
      },
      error: (reason) => sink.error(reason),
      complete: () => sink.complete(),
    });
  }
  return { ...streams, subscribe, heard };
}

/** A `fetch` that counts the requests for the list. */
export function countingFetch(counts) {
  return (address, options) => {
    if (options.body.includes('backupDestinations(')) counts.list += 1;
    return fetch(address, options);
  };
}

/** `page()` is an element; what it shows are items of a list, and a button for the next page. */
export async function drive({ page, streams, counts, createHere, dispose }) {
  const main = makeRoot();
  const labels = () => [...main.querySelectorAll('li')].map(({ textContent }) => textContent);
  const shows = (...wanted) => until(() => labels().join() === wanted.join());
  const elsewhere = (method, path, body) => rest(method, path, body);
  const ids = {};
  const create = async (label) => {
    ids[label] = (await elsewhere('POST', '', { label, type: 'local' })).id;
  };
  for (const label of ['One', 'Two', 'Three', 'Four']) await create(label);

  let root = createRoot(main);
  root.render(page(FIRST));
  await shows('Four', 'Three');
  await until(() => main.querySelector('button'));
  main.querySelector('button').click();
  await shows('Four', 'Three', 'Two', 'One');
  report({ step: 'pages', ...counts });

  await create('Five');
  await elsewhere('PUT', `/${ids.One}`, { label: 'Uno' });
  await elsewhere('DELETE', `/${ids.Three}`);
  await shows('Five', 'Four', 'Two', 'Uno');
  await createHere('Here');
  await shows('Here', 'Five', 'Four', 'Two', 'Uno');
  report({ step: 'heard', labels: labels() });

  for (const socket of sockets) socket.terminate();
  await create('Cut');
  await shows('Cut', 'Here', 'Five', 'Four', 'Two', 'Uno');
  report({ step: 'cut', labels: labels() });

  await act('restart');
  await create('Restarted');
  await elsewhere('DELETE', `/${ids.Two}`);
  await shows('Restarted', 'Cut', 'Here', 'Five', 'Four', 'Uno');
  report({ step: 'restarted', labels: labels() });

  root.unmount();
  await create('Away');
  root = createRoot(main);
  root.render(page(FIRST));
  await shows('Away', 'Restarted', 'Cut', 'Here', 'Five', 'Four', 'Uno');
  await elsewhere('PUT', `/${ids.Four}`, { label: 'Cuatro' });
  await shows('Away', 'Restarted', 'Cut', 'Here', 'Five', 'Cuatro', 'Uno');
  report({ step: 'mounted again', labels: labels(), heard: streams.heard, ...counts });

  await act('restore');
  await until(() => counts.list > 2);
  await create('Restored');
  await until(() => labels()[0] === 'Restored');
  report({ step: 'restored', labels: labels().slice(0, 2), ...counts });

  root.unmount();
  await dispose();
  process.exit();
}
