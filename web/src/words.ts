import "./styles/app.css";
import { mount } from "svelte";
import { start } from "./lib/i18n.svelte";
import Words from "./words/Words.svelte";

const target = document.getElementById("app");
if (target !== null) {
  start();
  mount(Words, { target });
}
