// What pages complain about: scripts that failed, policies that were broken, requests that failed.
// Every complaint fails the test, except those of a kind that the test provokes on purpose and names.

/** The kinds of complaints that a test may provoke. */
export const PROVOKED = {
  /** The network is cut, or the server is dead. */
  lostNetwork: /^Failed to load resource: net::ERR_|^WebSocket connection to '\S+' failed/,
  /** The API refuses what somebody tries without the right, the words or the patience for it. */
  refusedRequest: /^Failed to load resource: the server responded with a status of (401|403|409|422|429) /,
  /** Something is looked for that is not there, or not for this reader. */
  notFound: /^Failed to load resource: the server responded with a status of 404 /,
  /** A page of a foreign origin calls the API. */
  foreignOrigin: /has been blocked by CORS policy|^Failed to load resource: net::ERR_FAILED/,
  /** A page that may not frames a room. */
  foreignFrame: /frame-ancestors/,
  /** Text is to become a script, or markup that runs one. */
  forbiddenMarkup: /trusted-?types|Trusted(HTML|Script)/i,
  /** The embed's tag does not say whose room it wants. */
  namelessSite: /data-site/,
};

/** Tells of broken policies on the console, where everything else is told. Runs in each page. */
function tellOfPolicies() {
  addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sourceFile, lineNumber }) => {
    console.error(`Content Security Policy: ${violatedDirective} forbids ${blockedURI} (${sourceFile}:${lineNumber})`);
  });
}

/** Words that are a complaint at whatever level they are said. */
const GRAVE = /Content Security Policy|panicked|hydration/i;

/** Lets every page of this browser context tell of broken policies. */
export function listenToPolicies(context) {
  return context.addInitScript(tellOfPolicies);
}

/** Calls `complain` with each complaint of this page and its frames. */
export function listen(page, complain) {
  page.on('pageerror', (error) => complain(`script error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' || GRAVE.test(message.text())) complain(`${message.text()} (${message.location().url})`);
  });
}
