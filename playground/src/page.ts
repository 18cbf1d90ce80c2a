/** What every part of the page can use: the service, its model, the texts, the pictures at hand. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";

import type { Service } from "./api/service";
import type { Direction, Model } from "./api/types";
import type { Translate } from "./i18n";
import type { Tab } from "./state/location";
import type { Picture } from "./state/pictures";

export interface Page {
  service: Service;
  model: Model;
  directions: readonly Direction[];
  /** Ask the service again for its directions. */
  reloadDirections: () => Promise<void>;
  t: Translate;
  /** Say something to users of screen readers, and show it for a moment. */
  announce: (text: string) => void;
  /** Show an error; undefined takes it away. */
  report: (error: unknown) => void;
  pictures: readonly Picture[];
  addPicture: (picture: Picture) => void;
  removePicture: (picture: Picture) => void;
  /** Whether a tab is the one that is shown. */
  isShown: (tab: Tab) => boolean;
  /** Write the state of a tab to the address, if it is shown. */
  writeParams: (tab: Tab, params: URLSearchParams) => void;
  /** Name of a picture for people. */
  nameOf: (picture: Picture) => string;
}

export const PageContext = createContext<Page | undefined>(undefined);

/** The page that a component is on. */
export function usePage(): Page {
  const page = useContext(PageContext);
  if (!page) throw new Error("this component is used outside of the page");
  return page;
}

/** What a tab gets from the address when it is opened. */
export interface TabProps {
  params: URLSearchParams;
}
