// What is different in Swagger UI here, through its own plugin interface.

/** An immutable map, as Swagger UI keeps operations and requests. */
interface Kept {
  size: number;
  get(key: string): any;
  set(key: string, value: unknown): Kept;
}

interface System {
  React: { createElement(type: unknown, props: object | null, ...children: string[]): unknown };
  fn: { requestSnippetGenerator_curl_bash(request: Kept): string };
  getSystem(): System;
}

/** A link inside the button that opens an operation could not be reached by keyboard. */
const oneControlEach = () => ({
  wrapComponents: {
    DeepLink: (_original: unknown, { React }: System) => ({ text }: { text: string }) =>
      React.createElement('span', null, text),
  },
});

/** The token has one place, the bar; Swagger UI's own dialog would be a second. */
const oneTokenField = () => ({
  wrapComponents: {
    authorizeBtn: () => () => null,
    authorizeOperationBtn: () => () => null,
  },
});

/**
 * An operation is unfolded before its parameters and its body are read, and "Execute" would be there at once: pressed in
 * that time it refuses the body that is missing, and says nothing. It is offered together with what it sends.
 */
const executeWhenReady = () => ({
  wrapComponents: {
    execute: (Execute: unknown, { React }: System) => (props: { operation?: Kept }) =>
      props.operation?.size ? React.createElement(Execute, props) : null,
  },
});

/** The line for a shell takes the token from a variable, so that what is copied into notes and tickets holds none. */
const curlWithoutToken = (system: System) => ({
  fn: {
    requestSnippetGenerator_curl(request: Kept): string {
      const hidden = request.get('headers').map((value: string, name: string) => (isToken(name) ? '$TOKEN' : value));
      const line = system.getSystem().fn.requestSnippetGenerator_curl_bash(request.set('headers', hidden));
      return line.replace(/'authorization: \$TOKEN'/i, '"Authorization: Bearer $$TOKEN"'); // '' would keep the $ as it is
    },
  },
});

const isToken = (name: string) => name.toLowerCase() === 'authorization';

export const PLUGINS = [oneControlEach, oneTokenField, executeWhenReady, curlWithoutToken];

/** The one snippet that is shown of a request: the line above. */
export const SNIPPETS = {
  generators: { curl: { title: 'curl', syntax: 'bash' } },
  defaultExpanded: true,
  languages: ['curl'],
};
