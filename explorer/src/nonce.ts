// Monaco and Radix write style sheets into the page. Each gets the nonce of this page, so that the policy can name the
// style sheets it lets in instead of letting in any. Imported before everything that makes one.

const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce;
const createElement = document.createElement.bind(document);

document.createElement = (name: string, options?: ElementCreationOptions) => {
  const element = createElement(name, options);
  if (nonce && element instanceof HTMLStyleElement) {
    element.nonce = nonce;
  }
  return element;
};
