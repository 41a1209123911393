// GraphiQL and Swagger UI leave some things without a name or with a role that is not theirs. What a screen reader needs
// is put right here, whenever they draw anew.

type Mending = [selector: string, mend: (element: Element) => void];

/** Apply the mendings to what is in `root` now and to whatever comes. */
export function mend(root: Element, mendings: Mending[]): void {
  const observer = new MutationObserver(mendAll);
  let asked = false;

  function mendAll(): void {
    if (!asked) {
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        for (const [selector, apply] of mendings) {
          root.querySelectorAll(selector).forEach(apply);
        }
      });
    }
  }

  observer.observe(root, { attributeFilter: ['aria-selected', 'role'], childList: true, subtree: true });
  mendAll();
}

/** A mending that names what has no name. */
export function named(selector: string, name: string): Mending {
  return [`${selector}:not([aria-label])`, (element) => element.setAttribute('aria-label', name)];
}
