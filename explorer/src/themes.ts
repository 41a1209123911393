// The editor's colours. Monaco's own are GraphiQL's too, but its numbers and comments are too pale to read on our ground.

/** What `editorTheme` of GraphiQL takes. */
export const THEMES = { light: 'moorings-light', dark: 'moorings-dark' };

const GROUND = { light: '#ffffff', dark: '#212a3b' };
const INK = { light: '#1c2b36', dark: '#ffffff' };
const MARKED = { light: '#00608a', dark: '#74c8f0' };
const NUMBERS = { light: '08704a', dark: '9fd1a0' };
const COMMENTS = { light: '23702b', dark: '8fbf7f' };

function theme(scheme: 'light' | 'dark') {
  const [ground, marked] = [GROUND[scheme], MARKED[scheme]];
  return {
    base: scheme === 'light' ? ('vs' as const) : ('vs-dark' as const),
    inherit: true,
    rules: [
      { token: 'number', foreground: NUMBERS[scheme] },
      { token: 'comment', foreground: COMMENTS[scheme] },
      { token: 'argument.identifier.gql', foreground: scheme === 'light' ? '5a57c4' : 'a29dff' },
    ],
    colors: {
      'editor.background': '#ffffff00',
      'editorLineNumber.foreground': scheme === 'light' ? '#51616d' : '#a3b0bd',
      'editorHoverWidget.background': ground,
      'editorSuggestWidget.background': ground,
      'editorSuggestWidget.focusHighlightForeground': marked,
      'editorSuggestWidget.selectedBackground': `${marked}22`,
      'editorSuggestWidget.selectedForeground': INK[scheme],
      'editorSuggestWidget.selectedIconForeground': INK[scheme],
      'editorWidget.background': ground,
      'list.highlightForeground': marked,
      'list.hoverBackground': `${marked}19`,
      'menu.background': ground,
      'quickInput.background': ground,
      'scrollbar.shadow': '#ffffff00',
      'textLink.foreground': marked,
      focusBorder: marked,
    },
  };
}

/** Tell Monaco the themes. To be done before GraphiQL is drawn: of a theme that Monaco does not know it takes its own. */
export async function defineThemes(): Promise<void> {
  const { editor } = await import('monaco-graphql/esm/monaco-editor.js');
  editor.defineTheme(THEMES.light, theme('light'));
  editor.defineTheme(THEMES.dark, theme('dark'));
  // GraphiQL looks at the system's scheme once; the rest of the page follows it, and so does the editor.
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', ({ matches }) => {
    if (!document.body.matches('.graphiql-light, .graphiql-dark')) {
      editor.setTheme(matches ? THEMES.dark : THEMES.light);
    }
  });
}
