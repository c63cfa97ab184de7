import { expect, test } from "vitest";
import { type GuardOptions, refusal, securityHeaders, tokenCookie } from "../../src/web/guard.js";

const own: GuardOptions = { hosts: ["127.0.0.1", "localhost", "[::1]"], port: 7000, token: "secret" };
const cookie = "headstart-lab-7000=secret";

function asked(headers: Record<string, string>, method = "GET", path = "/api/entries", tokenGiven?: string) {
  return { method, path, header: (name: string) => headers[name], tokenGiven };
}

test.each([
  [{ host: "127.0.0.1:7000" }, undefined],
  [{ host: "LOCALHOST:7000" }, undefined],
  [{ host: "[::1]:7000", origin: "http://[::1]:7000" }, undefined],
  [{ host: "127.0.0.1:7000", "sec-fetch-site": "same-origin" }, undefined],
  [{}, 403],
  [{ host: "evil.example:7000" }, 403],
  [{ host: "127.0.0.1.evil.example:7000" }, 403],
  [{ host: "127.0.0.1:7001" }, 403],
  [{ host: "127.0.0.1" }, 403],
  [{ host: "127.0.0.1:7000", origin: "http://evil.example" }, 403],
  [{ host: "127.0.0.1:7000", origin: "null" }, 403],
  [{ host: "127.0.0.1:7000", origin: "http://127.0.0.1:7001" }, 403],
  [{ host: "127.0.0.1:7000", origin: "http://localhost:7000" }, 403],
  [{ host: "127.0.0.1:7000", "sec-fetch-site": "cross-site" }, 403],
  [{ host: "127.0.0.1:7000", "sec-fetch-site": "same-site" }, 403],
] as [Record<string, string>, number | undefined][])("%j", (headers, status) => {
  expect(refusal(asked({ ...headers, cookie }), own)?.status).toBe(status);
});

test("a link from elsewhere opens the page, but reaches nothing behind it", () => {
  const headers = { host: "127.0.0.1:7000", cookie, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
  expect(refusal(asked(headers, "GET", "/"), own)).toBeUndefined();
  expect(refusal(asked(headers, "GET", "/api/entries"), own)?.status).toBe(403);
});

test("a request that changes something needs the header that foreign pages cannot send", () => {
  const headers = { host: "127.0.0.1:7000", cookie };
  for (const method of ["POST", "PUT", "DELETE"]) {
    expect(refusal(asked(headers, method), own)?.status).toBe(403);
    expect(refusal(asked({ ...headers, "x-headstart": "1" }, method), own)).toBeUndefined();
  }
});

test("only the token in the address or the cookie opens anything", () => {
  const headers = { host: "127.0.0.1:7000" };
  expect(refusal(asked(headers), own)?.status).toBe(401);
  expect(refusal(asked(headers, "GET", "/", "wrong!"), own)?.status).toBe(401);
  expect(refusal(asked(headers, "GET", "/", "secret"), own)).toBeUndefined();
  const made = tokenCookie("secret", 7000);
  expect(made).toMatch(/HttpOnly; SameSite=Lax/);
  expect(refusal(asked({ ...headers, cookie: `a=b; ${made.split(";")[0]}` }), own)).toBeUndefined();
  expect(refusal(asked({ ...headers, cookie: "headstart-lab-7000=secreT" }), own)?.status).toBe(401);
});

test("the policy allows this origin only, and no script or style in the page itself", () => {
  const policy = securityHeaders["content-security-policy"];
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
});
