import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

interface Asked {
  readonly path: string;
  readonly body: Record<string, unknown> | undefined;
  readonly authorization: string | undefined;
}

/** A server that answers as MLflow 3 does, and keeps what it was asked. */
export async function fakeMlflow(): Promise<{ address: string; asked: Asked[]; fail: (after: number) => void }> {
  const asked: Asked[] = [];
  let experiment = false;
  let left = Number.POSITIVE_INFINITY;
  const server = createServer((request, answer) => {
    let text = "";
    request.on("data", (part) => {
      text += part;
    });
    request.on("end", () => {
      const path = (request.url ?? "").replace("/api/2.0/mlflow/", "");
      asked.push({
        path,
        body: text === "" ? undefined : JSON.parse(text),
        authorization: request.headers.authorization,
      });
      const reply = (status: number, content: object) => answer.writeHead(status).end(JSON.stringify(content));
      if (left-- <= 0) return reply(500, { error_code: "INTERNAL_ERROR", message: "out of order" });
      if (path.startsWith("experiments/get-by-name"))
        return experiment
          ? reply(200, { experiment: { experiment_id: "7" } })
          : reply(404, { error_code: "RESOURCE_DOES_NOT_EXIST", message: "none" });
      if (path === "experiments/create") {
        experiment = true;
        return reply(200, { experiment_id: "7" });
      }
      return reply(200, path === "runs/create" ? { run: { info: { run_id: "abc" } } } : {});
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
  });
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    fail: (after) => {
      left = after;
    },
  };
}
