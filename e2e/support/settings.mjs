// Where the built things are. `cargo xtask test browser` sets these; the defaults fit a run by hand
// after `cargo build` and `cargo xtask build`.

import { fileURLToPath } from 'node:url';
import path from 'node:path';

export const root = fileURLToPath(new URL('../..', import.meta.url));

const setting = (name, fallback) => process.env[name] ?? path.join(root, fallback);

export const backend = setting('E2E_BACKEND', 'target/debug/chat-backend');
export const frontend = setting('E2E_FRONTEND', 'target/debug/chat-frontend');
export const site = setting('E2E_SITE', 'target/site');
export const screens = setting('E2E_SCREENS', 'target/screens');
export const evidence = setting('E2E_EVIDENCE', 'target/e2e');
export const chromium = process.env.E2E_CHROMIUM ?? '/usr/bin/chromium';
/** Whether one of the two sides is of another release than these tests. */
export const withNeighbour = process.env.E2E_NEIGHBOUR !== undefined;
