// Waiting for a condition, never for a time.

const LOOK_MS = 40;

/**
 * Waits until `condition` gives something true and returns that. `what` says in words what was waited
 * for; a function is called to tell what there was instead.
 */
export async function until(condition, what, withinMs = 15_000) {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (Date.now() > deadline) {
      const seen = typeof what === 'function' ? await what() : what;
      throw new Error(`waited ${withinMs} ms in vain until ${seen}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
