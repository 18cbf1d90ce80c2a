/** The tabs of a model, the pictures that they share, and the address that tells what is shown. */

import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";

import type { Service } from "./api/service";
import type { Direction, Model } from "./api/types";
import { Tabs } from "./components/tabs";
import { Toast } from "./components/toast";
import { translator, type Language } from "./i18n";
import { PageContext, type Page } from "./page";
import { AddressWriter } from "./state/address-writer";
import { fragmentOf, parseFragment, TABS, type Tab } from "./state/location";
import { FIRST_SEEDS, samplePicture, type Picture } from "./state/pictures";
import { ArithmeticTab } from "./tabs/arithmetic/arithmetic-tab";
import { EditTab } from "./tabs/edit/edit-tab";
import { MapTab } from "./tabs/map/map-tab";
import { MorphTab } from "./tabs/morph/morph-tab";
import { SampleTab } from "./tabs/sample/sample-tab";

const VIEWS = {
  edit: EditTab,
  sample: SampleTab,
  morph: MorphTab,
  arithmetic: ArithmeticTab,
  map: MapTab,
};

interface Props {
  service: Service;
  model: Model;
  directions: readonly Direction[];
  reloadDirections: () => Promise<void>;
  language: Language;
  report: (error: unknown) => void;
}

/** A tab that was opened: the parameters that it began with, and how often it began anew. */
interface Opened {
  params: URLSearchParams;
  revision: number;
}

export function Workspace(props: Props) {
  const { service, report, language } = props;
  const [tab, setTab] = useState<Tab>(() => parseFragment(location.hash).tab);
  const [opened, setOpened] = useState<Partial<Record<Tab, Opened>>>(() => {
    const first = parseFragment(location.hash);
    return { [first.tab]: { params: first.params, revision: 0 } };
  });
  const written = useRef<Partial<Record<Tab, string>>>({});
  const address = useRef(new AddressWriter((text) => history.replaceState(null, "", text))).current;
  const [pictures, setPictures] = useState<readonly Picture[]>([]);
  const [message, setMessage] = useState("");
  const t = useMemo(() => translator(language), [language]);

  useEffect(() => {
    const samples = FIRST_SEEDS.map((seed) => samplePicture(service, seed));
    Promise.all(samples).then((first) => setPictures((more) => [...first, ...more]), report);
  }, [service]);

  /** The address of a tab, with what belongs to the whole page. */
  const addressOf = useCallback(
    (shown: Tab, params: URLSearchParams) => {
      const all = new URLSearchParams(params);
      if (service.connection.model) all.set("model", service.connection.model);
      const chosen = parseFragment(location.hash).params.get("lang");
      if (chosen) all.set("lang", chosen);
      return fragmentOf({ tab: shown, params: all });
    },
    [service],
  );

  const writeParams = useCallback(
    (of: Tab, params: URLSearchParams) => {
      written.current[of] = params.toString();
      if (of === tab) address.schedule(addressOf(of, params));
    },
    [tab, addressOf],
  );

  const open = useCallback((next: Tab, params: URLSearchParams) => {
    setTab(next);
    setOpened((before) => {
      const known = before[next];
      const same = written.current[next] === ownParams(params).toString();
      if (known && same) return before;
      return { ...before, [next]: { params, revision: (known?.revision ?? -1) + 1 } };
    });
  }, []);

  function choose(next: Tab): void {
    if (next === tab) return;
    const params = new URLSearchParams(written.current[next] ?? "");
    address.flush();
    history.pushState(null, "", addressOf(next, params));
    setTab(next);
    setOpened((before) => ({ [next]: { params, revision: 0 }, ...before }));
  }

  useEffect(() => {
    const follow = () => {
      const { tab: next, params } = parseFragment(location.hash);
      open(next, params);
    };
    addEventListener("popstate", follow);
    return () => removeEventListener("popstate", follow);
  }, [open]);

  const page: Page = {
    ...props,
    t,
    announce: setMessage,
    pictures,
    addPicture: (picture) => setPictures((before) => [...before, picture]),
    removePicture: (picture) =>
      setPictures((before) => before.filter(({ id }) => id !== picture.id)),
    isShown: (asked) => asked === tab,
    writeParams,
    nameOf: ({ seed, label }) => label ?? t("shelf.seed", { seed: seed ?? "" }),
  };

  return (
    <PageContext.Provider value={page}>
      <Tabs shown={tab} onChoose={choose} />
      {TABS.map((name) => {
        const View = VIEWS[name];
        const state = opened[name];
        return (
          <section
            key={name}
            class="panel"
            role="tabpanel"
            id={`panel-${name}`}
            aria-labelledby={`tab-${name}`}
            hidden={name !== tab}
          >
            {state && <View key={state.revision} params={state.params} />}
          </section>
        );
      })}
      <Toast text={message} onDone={() => setMessage("")} />
    </PageContext.Provider>
  );
}

/** The parameters of a tab, without those of the whole page. */
function ownParams(params: URLSearchParams): URLSearchParams {
  const own = new URLSearchParams(params);
  own.delete("model");
  own.delete("lang");
  return own;
}
