import "./still";
import "../src/styles/app.css";
import "./gallery.css";
import { mount, tick } from "svelte";
import { isLang, use } from "../src/lib/i18n.svelte";
import { answering } from "./still";
import { exhibits } from "./exhibits";
import Index from "./Index.svelte";

// ?show=NAME is one exhibit, alone; without it, the list of them. &lang=fr is French.
const asked = new URLSearchParams(location.search);
const lang = asked.get("lang") ?? "en";
if (isLang(lang)) use(lang);

const target = document.getElementById("app");
const name = asked.get("show") ?? "";
const exhibit = exhibits[name];

async function show(): Promise<void> {
  if (target === null) return;
  if (exhibit === undefined) {
    mount(Index, { target });
  } else {
    answering(exhibit.answers ?? {});
    exhibit.show(target);
    for (const act of exhibit.acts ?? []) {
      await settled();
      act();
    }
  }
  await settled();
  document.documentElement.dataset["ready"] = name;
}

/** After what was answered, and what Svelte makes of it. */
async function settled(): Promise<void> {
  await tick();
  await new Promise((done) => setTimeout(done, 0));
  await tick();
  await document.fonts.ready;
}

void show();
