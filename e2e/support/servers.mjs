// The real servers, on ports of their own, with a fresh data directory.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { Network } from './network.mjs';
import * as settings from './settings.mjs';
import { until } from './until.mjs';

/** Limits that a script reaches and a person does not. Tests of the limits keep the real ones. */
export const ROOMY = {
  CHAT_LIMIT_GUESTS: '10000/1s',
  CHAT_LIMIT_REGISTRATIONS: '1000/1s',
  CHAT_LIMIT_SENDS: '10000/1s',
  CHAT_LIMIT_USER_SENDS: '10000/1s',
  CHAT_LIMIT_ROOM_SENDS: '10000/1s',
  CHAT_LIMIT_GUEST_SENDS: '10000/1s',
  CHAT_LIMIT_REPEATS: '10000/1s',
  CHAT_LIMIT_READ_POSITIONS: '10000/1s',
  CHAT_LIMIT_CHANGES: '10000/1s',
  CHAT_LIMIT_CREATIONS: '10000/1s',
  CHAT_LIMIT_READS: '100000/1s',
  CHAT_LIMIT_PAGES: '10000/1s',
};

export class Servers {
  #processes = [];
  #secret = crypto.randomBytes(32).toString('hex');
  #environment;

  /**
   * Starts both sides. Browsers reach them by names that are not trusted origins, as most are on
   * plain HTTP: `chat.test` for the page and `api.test`, another site, for the API.
   */
  static async start(name, environment = {}) {
    const servers = new Servers();
    servers.name = name;
    servers.#environment = environment;
    servers.dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'sarangbang-e2e-'));
    fs.mkdirSync(settings.evidence, { recursive: true });
    const [api, apiAdmin, web, webAdmin, blog] = await freePorts(5);
    servers.ports = { api, apiAdmin, web, webAdmin, blog };
    servers.network = await Network.before(api);
    servers.web = `http://chat.test:${web}`;
    servers.api = `http://api.test:${servers.network.port}`;
    servers.apiDirect = `http://127.0.0.1:${api}`;
    servers.blog = `http://blog.test:${blog}`;
    await servers.startBackend();
    await servers.#startFrontend();
    return servers;
  }

  async startBackend() {
    const { api, apiAdmin, web } = this.ports;
    this.backend = this.#run('backend', settings.backend, ['serve'], {
      SECRET_KEY: this.#secret,
      CHAT_DATA_DIR: this.dataDir,
      CHAT_ADDR: `127.0.0.1:${api}`,
      CHAT_ADMIN_ADDR: `127.0.0.1:${apiAdmin}`,
      ALLOWED_ORIGINS: `${this.web},http://127.0.0.1:${web}`,
      CHAT_SITES: `demo=*;blog=${this.blog}`,
      ...this.#environment,
    });
    await this.#ready(this.backend, apiAdmin);
  }

  /** Kills the back end as a crash of the machine would: no warning, no clean-up. */
  async killBackend() {
    const gone = once(this.backend, 'exit');
    this.backend.kill('SIGKILL');
    await gone;
  }

  async stopBackend() {
    const gone = once(this.backend, 'exit');
    this.backend.kill('SIGTERM');
    await gone;
  }

  async stop() {
    for (const child of this.#processes) {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, 'exit');
        child.kill('SIGTERM');
        await gone;
      }
    }
    await this.network.close();
    fs.rmSync(this.dataDir, { recursive: true, force: true });
  }

  async #startFrontend() {
    const { web, webAdmin, api } = this.ports;
    const frontend = this.#run('frontend', settings.frontend, [], {
      API_BASE_URL: this.api,
      CHAT_FRONTEND_ADDR: `127.0.0.1:${web}`,
      CHAT_FRONTEND_ADMIN_ADDR: `127.0.0.1:${webAdmin}`,
      CHAT_FRONTEND_ASSETS: settings.site,
      CHAT_FRONTEND_API_INTERNAL_URL: `http://127.0.0.1:${api}`,
    });
    await this.#ready(frontend, webAdmin);
  }

  #run(side, program, args, environment) {
    const log = fs.openSync(path.join(settings.evidence, `${this.name}-${side}.log`), 'a');
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, RUST_BACKTRACE: '1', ...environment };
    const child = spawn(program, args, { cwd: settings.root, env, stdio: ['ignore', log, log] });
    fs.closeSync(log);
    this.#processes.push(child);
    process.once('exit', () => child.kill('SIGKILL'));
    return child;
  }

  async #ready(child, port) {
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}; see ${settings.evidence}`);
      return fetch(`http://127.0.0.1:${port}/readyz`).then((answer) => answer.ok, () => false);
    }, `${child.spawnfile} is ready`);
  }
}

/** Ports that nobody listens on, all different. */
export async function freePorts(count) {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => { server.close(); return once(server, 'close'); }));
  return ports;
}
