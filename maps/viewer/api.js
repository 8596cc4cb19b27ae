/** The server's answers, and its refusals with what to do about them. */

import { language } from './i18n.js';

/**
 * A refusal: problem details (RFC 9457) as wangge writes them, or no answer at all.
 */
export class Refusal extends Error {
  /**
   * @param {string} detail what is wrong, for a person
   * @param {number} status HTTP status; 0 when nothing answered
   * @param {{field: string | null, reason: string, remedy: string}[]} problems
   * @param {string} kind name of the error's class in the server
   * @param {number} after seconds after which to try again
   * @param {{grids: number[], cells: number[]}} about numbers of what of a plan it is about
   */
  constructor(detail, status, problems = [], kind = '', after = 0, about = { grids: [], cells: [] }) {
    super(detail);
    this.status = status;
    this.problems = problems;
    this.kind = kind;
    this.after = after;
    this.about = about;
  }
}

/**
 * @param {URLSearchParams} query
 * @param {Record<string, string | number | null | undefined | string[]>} values null and empty
 *   lists are left out; lists are repeated
 */
export function addTo(query, values) {
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one));
  }
  return query;
}

export class Api {
  /** @param {URL} base address that `api/` and `tiles/` lie under */
  constructor(base) {
    this.base = base;
    /** What the session's own page sends along with each change; no other page can know it. */
    this.csrf = '';
    /** What to do when the session has ended; nothing before there is one. */
    this.onended = () => {};
  }

  /** Who is signed in; refused with status 401 when nobody is. */
  async session() {
    const session = await this.get('api/v1/session');
    this.csrf = session.csrf ?? '';
    return session;
  }

  /**
   * @param {string} path relative to the base
   * @param {Parameters<typeof addTo>[1]} [values]
   */
  url(path, values = {}) {
    const url = new URL(path.replace(/^\//, ''), this.base);
    addTo(url.searchParams, values);
    return url;
  }

  /**
   * @param {string} path
   * @param {Parameters<typeof addTo>[1]} [values]
   * @param {RequestInit} [options]
   * @returns {Promise<any>}
   */
  async get(path, values = {}, options = {}) {
    const url = this.url(path, values);
    // The page's language, not the browser's: refusals are read on the page.
    const headers = { Accept: 'application/json', 'Accept-Language': language(), ...options.headers };
    let answer;
    try {
      answer = await fetch(url, { ...options, headers });
    } catch (error) {
      if (/** @type {Error} */ (error).name === 'AbortError') throw error;
      throw new Refusal('no answer', 0);
    }
    if (answer.status === 204) return null;
    const body = await answer.json().catch(() => null);
    if (answer.status === 401) this.onended();
    if (!answer.ok || body === null) {
      throw new Refusal(
        body?.detail ?? body?.title ?? `HTTP ${answer.status}`,
        answer.status,
        body?.problems ?? [],
        body?.type?.split(':').at(-1) ?? '',
        Number(answer.headers.get('Retry-After') ?? 0),
        { grids: body?.grids ?? [], cells: body?.cells ?? [] },
      );
    }
    return body;
  }

  /** @param {string} path @param {any} body */
  post(path, body) {
    return this.send('POST', path, body);
  }

  /** @param {string} method @param {string} path @param {any} [body] */
  send(method, path, body) {
    return this.get(path, {}, {
      method,
      headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': this.csrf },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }
}

/**
 * A new UUID (version 4). `crypto.randomUUID` is missing where the page came by plain HTTP from
 * another machine, so the bytes are drawn here.
 */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
