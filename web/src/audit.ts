import "./styles/app.css";
import { mount } from "svelte";
import { start } from "./lib/i18n.svelte";
import Audit from "./audit/Audit.svelte";

const target = document.getElementById("app");
if (target !== null) {
  start();
  mount(Audit, { target });
}
