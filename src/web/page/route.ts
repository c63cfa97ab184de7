/** Where the page is: the part of the address behind #, so that a reload and a link lead back there. */
import { useEffect, useState } from "preact/hooks";

export type Route =
  | { readonly view: "welcome" }
  | { readonly view: "run"; readonly id: string }
  | { readonly view: "study"; readonly id: string }
  | {
      readonly view: "start";
      readonly command: "init" | "compare";
      /** The entry whose settings the form begins with. */
      readonly from?: string;
    }
  | { readonly view: "compare"; readonly ids: readonly string[] };

/** What the part of an address behind # names; the welcome page for anything that names nothing. */
export function readRoute(hash: string): Route {
  const [view, rest = "", more = ""] = hash.replace(/^#\/?/, "").split("/");
  const decoded = (text: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  if (view === "run" || view === "study") return { view, id: decoded(rest) };
  if (view === "start")
    return {
      view,
      command: rest === "compare" ? "compare" : "init",
      ...(more === "" ? {} : { from: decoded(more) }),
    };
  if (view === "compare") return { view, ids: rest === "" ? [] : rest.split(",").map(decoded) };
  return { view: "welcome" };
}

/** The part of the address behind #, with it: what {@link readRoute} reads. */
export function routeAddress(route: Route): string {
  switch (route.view) {
    case "welcome":
      return "#/";
    case "run":
    case "study":
      return `#/${route.view}/${encodeURIComponent(route.id)}`;
    case "start":
      return `#/start/${route.command}${route.from === undefined ? "" : `/${encodeURIComponent(route.from)}`}`;
    case "compare":
      return `#/compare/${route.ids.map(encodeURIComponent).join(",")}`;
  }
}

/** Where the page is, in a component that changes with it. */
export function useRoute(): Route {
  const [route, setRoute] = useState(() => readRoute(location.hash));
  useEffect(() => {
    const changed = (): void => setRoute(readRoute(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}

/** Leads the page there; the browser's way back leads back. */
export function go(route: Route): void {
  location.hash = routeAddress(route);
}
