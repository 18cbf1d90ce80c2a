/** The page around its tabs: loads the model, asks for a key, and shows errors. */

import { useCallback, useEffect, useState } from "preact/hooks";

import { isAbort } from "./api/problem";
import type { Service } from "./api/service";
import type { Direction, Model } from "./api/types";
import { ErrorBox } from "./components/error-box";
import { Footer } from "./components/footer";
import { Header } from "./components/header";
import { KeyForm } from "./components/key-form";
import { isLanguage, preferredLanguage, translator, type Language } from "./i18n";
import { parseFragment } from "./state/location";
import { Workspace } from "./workspace";

interface Loaded {
  models: Model[];
  model: Model;
  directions: Direction[];
}

export function App({ service }: { service: Service }) {
  const { connection } = service;
  const [language, setLanguage] = useState<Language>(firstLanguage);
  const [loaded, setLoaded] = useState<Loaded>();
  const [error, setError] = useState<unknown>();
  const [keyNeeded, setKeyNeeded] = useState(false);
  const t = translator(language);

  useEffect(() => {
    document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
    document.title = `Lorgnette · ${t("app.tagline")}`;
  }, [language]);

  const load = useCallback(
    async (modelName?: string) => {
      setError(undefined);
      try {
        const models = await service.models();
        const model = models.find(({ name }) => name === modelName) ?? models[0]!;
        connection.model = model === models[0] ? undefined : model.name;
        const directions = await service.directions();
        setLoaded({ models, model, directions });
        setKeyNeeded(false);
      } catch (failure) {
        setError(failure);
      }
    },
    [service],
  );

  useEffect(() => {
    connection.onKeyNeeded = () => setKeyNeeded(true);
    void load(parseFragment(location.hash).params.get("model") ?? undefined);
  }, [load]);

  const reloadDirections = useCallback(async () => {
    const directions = await service.directions();
    setLoaded((before) => before && { ...before, directions });
  }, [service]);

  const report = useCallback((failure: unknown) => {
    if (!isAbort(failure)) setError(failure);
  }, []);

  function useKey(key: string): void {
    connection.key = key;
    void load(loaded?.model.name);
  }

  return (
    <>
      <Header
        t={t}
        language={language}
        onLanguage={setLanguage}
        models={loaded?.models ?? []}
        model={loaded?.model}
        onModel={(name) => void load(name)}
      />
      <main>
        {keyNeeded && <KeyForm t={t} error={error} onKey={useKey} />}
        {!keyNeeded && (
          <ErrorBox
            t={t}
            error={error}
            onDismiss={() => setError(undefined)}
            onRetry={loaded ? undefined : () => void load()}
          />
        )}
        {!loaded && !keyNeeded && error === undefined && (
          <p class="status" role="status">
            <span class="spinner" aria-hidden="true" /> {t("app.loading")}
          </p>
        )}
        {loaded && (
          <Workspace
            key={loaded.model.id}
            service={service}
            model={loaded.model}
            directions={loaded.directions}
            reloadDirections={reloadDirections}
            language={language}
            report={report}
          />
        )}
      </main>
      <Footer t={t} model={loaded?.model} />
    </>
  );
}

function firstLanguage(): Language {
  const chosen = parseFragment(location.hash).params.get("lang");
  return isLanguage(chosen) ? chosen : preferredLanguage(navigator.languages);
}
