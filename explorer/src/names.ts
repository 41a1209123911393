// Names for what a screen reader meets in GraphiQL without one.

export function nameWhatHasNoName(): void {}
