/**
 * Who may talk to the server: whoever has the token, by the server's own page. A
 * page of another origin, and a host name that was made to point here (DNS rebinding), are refused.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { requestHeader } from "./protocol.js";

export interface GuardOptions {
  /** Host names that the page is opened by, without port, in small letters; IPv6 in brackets. */
  readonly hosts: readonly string[];
  readonly port: number;
  /** Needed by every request. */
  readonly token: string;
  /** Does for the token in a first request. */
  readonly once?: OneTimeCode;
}

/** What opens the page a single time. */
export class OneTimeCode {
  readonly code = randomBytes(24).toString("base64url");
  #isUsed = false;

  /** Whether this is the code, and the first time that it is given. */
  takes(given: string): boolean {
    if (this.#isUsed || !same(given, this.code)) return false;
    this.#isUsed = true;
    return true;
  }
}

/** The parts of a request that decide. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly header: (name: string) => string | undefined;
  /** The token in the address, for the first request. */
  readonly tokenGiven?: string | undefined;
}

const cookieName = "headstart-lab";

/** @returns undefined where the request is fine, else the status and reason of the refusal */
export function refusal(asked: Asked, options: GuardOptions): { status: 400 | 401 | 403; reason: string } | undefined {
  const host = asked.header("host")?.toLowerCase() ?? "";
  const allowed = options.hosts.flatMap((name) => [`${name}:${options.port}`, ...(options.port === 80 ? [name] : [])]);
  if (!allowed.includes(host)) return { status: 403, reason: "the host name is not this server's" };
  const origin = asked.header("origin");
  if (origin !== undefined && origin !== `http://${host}`)
    return { status: 403, reason: "the request comes from another origin" };
  const site = asked.header("sec-fetch-site");
  const opensPage = asked.method === "GET" && asked.path === "/" && asked.header("sec-fetch-mode") === "navigate";
  if (site !== undefined && site !== "same-origin" && site !== "none" && !opensPage)
    return { status: 403, reason: "the request comes from another site" };
  if (!["GET", "HEAD"].includes(asked.method) && asked.header(requestHeader) === undefined)
    return { status: 403, reason: `the header ${requestHeader} is missing` };
  const given = asked.tokenGiven ?? tokenOf(asked.header("cookie"), options.port);
  const isOnce = asked.tokenGiven !== undefined && options.once?.takes(asked.tokenGiven);
  if (!isOnce && (given === undefined || !same(given, options.token)))
    return { status: 401, reason: "the token is missing: open the address that headstart lab printed" };
  return undefined;
}

/** Seconds for which a browser keeps the token: a month. */
const kept = 30 * 24 * 3600;

/** The cookie that keeps the token after the first request. Links and files of other sites may lead to the page, and no more. */
export function tokenCookie(token: string, port: number): string {
  return `${cookieName}-${port}=${token}; HttpOnly; SameSite=Lax; Path=/; Max-Age=${kept}`;
}

function tokenOf(cookies: string | undefined, port: number): string | undefined {
  for (const cookie of (cookies ?? "").split(";")) {
    const [name, value] = cookie.trim().split("=");
    if (name === `${cookieName}-${port}`) return value;
  }
  return undefined;
}

function same(given: string, token: string): boolean {
  const [first, second] = [Buffer.from(given), Buffer.from(token)];
  return first.length === second.length && timingSafeEqual(first, second);
}

/** Sent with every answer. Nothing may be loaded from anywhere else, no script stands in the page itself. */
export const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; " +
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=()",
};
