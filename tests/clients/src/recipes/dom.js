// A document for React, and what a person does with it.
import { Window } from 'happy-dom';
import { until } from '../gateway.mjs';

const window = new Window({ url: 'http://localhost/' });
Object.assign(globalThis, { window, document: window.document });
globalThis.navigator ??= window.navigator; // newer Nodes have one

export function makeRoot() {
  return document.body.appendChild(document.createElement('main'));
}

export async function press(main, text) {
  const named = () => [...main.querySelectorAll('button')].find(({ textContent }) => textContent === text);
  await until(named);
  named().click();
}

export async function type(main, text) {
  await until(() => main.querySelector('input'));
  const input = main.querySelector('input');
  Object.getOwnPropertyDescriptor(window.HTMLInputElement.prototype, 'value').set.call(input, text);
  input.dispatchEvent(new window.Event('input', { bubbles: true }));
}
