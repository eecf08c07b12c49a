// Composing Hangul as an input method does it, through Chromium's own IME path.

/** Types a composition step by step; the last step stays in composition. */
export async function compose(person, steps) {
  const session = await person.context.newCDPSession(person.page);
  for (const text of steps) {
    await session.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length });
  }
  return session;
}

/**
 * Presses Enter while composing, as Chromium reports it with a Korean input method: a keydown of the
 * input method's own (229), the commit of the composition, then the Enter itself, as the input method
 * passes the key on.
 */
export async function enterWhileComposing(session, committed) {
  const enter = { key: 'Enter', code: 'Enter', nativeVirtualKeyCode: 13 };
  await session.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', windowsVirtualKeyCode: 229, ...enter, key: 'Process' });
  await session.send('Input.insertText', { text: committed });
  await session.send('Input.dispatchKeyEvent', { type: 'char', windowsVirtualKeyCode: 13, text: '\r', unmodifiedText: '\r', ...enter });
  await session.send('Input.dispatchKeyEvent', { type: 'keyUp', windowsVirtualKeyCode: 13, ...enter });
}

/** Presses Enter to choose a candidate, as with a Japanese input method: nothing is passed on. */
export async function chooseCandidate(session, committed) {
  const enter = { code: 'Enter', nativeVirtualKeyCode: 13 };
  await session.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', windowsVirtualKeyCode: 229, key: 'Process', ...enter });
  await session.send('Input.insertText', { text: committed });
  await session.send('Input.dispatchKeyEvent', { type: 'keyUp', windowsVirtualKeyCode: 13, key: 'Enter', ...enter });
}
