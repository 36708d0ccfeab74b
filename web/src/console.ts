import "./styles/app.css";
import { mount } from "svelte";
import { start } from "./lib/i18n.svelte";
import Console from "./console/Console.svelte";

const target = document.getElementById("app");
if (target !== null) {
  start();
  mount(Console, { target });
}
