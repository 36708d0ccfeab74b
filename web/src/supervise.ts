import "./styles/app.css";
import { mount } from "svelte";
import { start } from "./lib/i18n.svelte";
import Supervise from "./supervise/Supervise.svelte";

const target = document.getElementById("app");
if (target !== null) {
  start();
  mount(Supervise, { target });
}
