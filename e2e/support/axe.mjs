// What an accessibility checker says about a page as it is at this moment.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Nothing serious, and nothing runs over the edge of the screen. */
export async function isWellMade(person, screen, look) {
  const frame = person.view === person.page ? person.page : person.page.frames().at(-1);
  const found = await runAxe(person, frame);
  const serious = found.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  assert.deepEqual(serious, [], `${screen} ${JSON.stringify(look)}`);
  const wide = await frame.evaluate(runsOver);
  assert.deepEqual(wide, [], `${screen} ${JSON.stringify(look)} runs over the edge`);
}

/** What is wider than what it is in, of the page and the parts of it that scroll. Runs in the page. */
function runsOver() {
  const parts = [document.documentElement, ...document.querySelectorAll('.app__frame, .app__main, .sidebar__body, .timeline, .roster, dialog[open]')];
  return parts.filter((part) => part.scrollWidth > part.clientWidth).map((part) => `${part.className || part.tagName}: ${part.scrollWidth} in ${part.clientWidth}`);
}

/** Runs axe in a world of its own, which the page's security policy does not concern. */
async function runAxe(person, frame) {
  const session = await person.context.newCDPSession(frame === person.page ? person.page : frame);
  const { frameTree } = await session.send('Page.getFrameTree');
  const { executionContextId: contextId } = await session.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id });
  await session.send('Runtime.evaluate', { contextId, expression: `${axe};0` });
  const expression = `axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map(({ html, failureSummary }) => html.slice(0, 200) + ' ' + failureSummary) })))`;
  const { result, exceptionDetails } = await session.send('Runtime.evaluate', { contextId, expression, awaitPromise: true, returnByValue: true });
  assert.equal(exceptionDetails, undefined, JSON.stringify(exceptionDetails));
  await session.detach();
  return result.value;
}

/** Another theme fades in; waits for the end of that. Runs in the page. */
async function coloursAreThere() {
  await new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); });
  const fading = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
  await Promise.allSettled(fading.map((animation) => animation.finished));
}

/** The same in both themes. */
export async function isWellMadeInBothThemes(person, screen) {
  for (const theme of ['light', 'dark']) {
    await person.page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    await person.page.evaluate(coloursAreThere);
    await isWellMade(person, screen, { theme });
  }
}
