/** The row of tabs: arrow keys move between them, as ARIA's pattern for tabs says. */

import { useRef } from "preact/hooks";

import { usePage } from "../page";
import { TABS, type Tab } from "../state/location";

const STEPS: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1 };

export function Tabs({ shown, onChoose }: { shown: Tab; onChoose: (tab: Tab) => void }) {
  const { t } = usePage();
  const list = useRef<HTMLDivElement>(null);

  function onKeyDown(event: KeyboardEvent): void {
    const at = TABS.indexOf(shown);
    const targets: Record<string, number> = { Home: 0, End: TABS.length - 1 };
    const step = STEPS[event.key];
    const index = targets[event.key] ?? (step && (at + step + TABS.length) % TABS.length);
    if (index === undefined) return;
    event.preventDefault();
    const tab = TABS[index]!;
    onChoose(tab);
    list.current?.querySelector<HTMLElement>(`#tab-${tab}`)?.focus();
  }

  return (
    <div class="tabs" role="tablist" aria-label={t("app.tabs")} ref={list} onKeyDown={onKeyDown}>
      {TABS.map((tab) => (
        <button
          key={tab}
          type="button"
          role="tab"
          id={`tab-${tab}`}
          aria-controls={`panel-${tab}`}
          aria-selected={tab === shown}
          tabIndex={tab === shown ? 0 : -1}
          onClick={() => onChoose(tab)}
        >
          {t(`tab.${tab}`)}
        </button>
      ))}
    </div>
  );
}
