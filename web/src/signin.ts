import "./styles/app.css";
import { mount } from "svelte";
import { start } from "./lib/i18n.svelte";
import SignIn from "./signin/SignIn.svelte";

const target = document.getElementById("app");
if (target !== null) {
  start();
  mount(SignIn, { target });
}
