/** The tab Arithmetic: pictures in named groups, and an expression over the groups. */

import { useEffect, useState } from "preact/hooks";

import { Curl } from "../../components/curl";
import { Shelf } from "../../components/shelf";
import { usePage, type TabProps } from "../../page";
import { samplePicture, type Picture } from "../../state/pictures";
import { Answer } from "./answer";
import {
  answerCommand,
  freeName,
  readArithmetic,
  renamed,
  withTerm,
  writeArithmetic,
  type ArithmeticState,
  type Group,
} from "./arithmetic-state";
import { ExpressionField } from "./expression-field";
import { GroupCard } from "./group-card";
import { SaveDirection } from "./save-direction";
import { Terms } from "./terms";

export function ArithmeticTab({ params }: TabProps) {
  const page = usePage();
  const { t, service } = page;
  const shown = page.isShown("arithmetic");
  const [state, setState] = useState<ArithmeticState>();
  const [target, setTarget] = useState("");

  useEffect(() => {
    const { expression, seeds } = readArithmetic(params);
    const groups = seeds.map(async ([name, all]) => ({
      name,
      pictures: await Promise.all(all.map((seed) => samplePicture(service, seed))),
    }));
    Promise.all(groups)
      .then((loaded) => {
        setState({ expression, groups: loaded });
        setTarget(loaded[0]?.name ?? "");
      })
      .catch(page.report);
  }, [params]);

  useEffect(() => {
    if (state) page.writeParams("arithmetic", writeArithmetic(state));
  }, [state, shown]);

  if (!state) return <div class="placeholder picture" aria-busy="true" />;
  const { expression, groups } = state;

  const setExpression = (next: string) => setState({ ...state, expression: next });
  const setGroups = (next: readonly Group[]) => setState({ ...state, groups: next });

  function setPictures(name: string, pictures: readonly Picture[]): void {
    setGroups(groups.map((group) => (group.name === name ? { name, pictures } : group)));
  }

  function add(name: string, picture: Picture): void {
    const group = groups.find((known) => known.name === name);
    if (group) setPictures(name, [...group.pictures, picture]);
  }

  function addGroup(): void {
    const name = freeName(groups);
    setGroups([...groups, { name, pictures: [] }]);
    setTarget(name);
  }

  function remove(name: string): void {
    const others = groups.filter((group) => group.name !== name);
    setGroups(others);
    if (target === name) setTarget(others[0]?.name ?? "");
  }

  function rename(before: string, after: string): void {
    setState({
      expression: renamed(expression, before, after),
      groups: groups.map((group) => (group.name === before ? { ...group, name: after } : group)),
    });
    if (target === before) setTarget(after);
  }

  const build = (sign: "+" | "-", name: string) => setExpression(withTerm(expression, sign, name));
  const { connection } = service;
  return (
    <>
      <h2 class="visually-hidden">{t("arithmetic.title")}</h2>
      <Shelf
        shown={shown}
        labelOf={(item) => t("shelf.arithmetic", { name: page.nameOf(item), group: target })}
        isChosen={(item) => groups.some(({ pictures }) => pictures.some((p) => p.id === item.id))}
        onChoose={(item) => add(target, item)}
      />
      <div class="row">
        <label class="inline">
          {t("arithmetic.target")}
          <select value={target} onChange={(event) => setTarget(event.currentTarget.value)}>
            {groups.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <button type="button" onClick={addGroup}>
          {t("arithmetic.addGroup")}
        </button>
      </div>
      <div class="groups">
        {groups.map((group) => (
          <GroupCard
            key={group.name}
            group={group}
            taken={groups.map(({ name }) => name)}
            onRename={(name) => rename(group.name, name)}
            onPictures={(pictures) => setPictures(group.name, pictures)}
            onDrop={(picture) => add(group.name, picture)}
            onTerm={build}
            onRemove={() => remove(group.name)}
          />
        ))}
      </div>
      <div class="workbench">
        <div class="controls">
          <ExpressionField expression={expression} onExpression={setExpression} onTerm={build} />
          <Terms state={state} />
          <SaveDirection groups={groups} />
        </div>
        <Answer state={state} />
      </div>
      <Curl
        commands={answerCommand(state, connection.address("arithmetic"), Boolean(connection.key))}
      />
    </>
  );
}
