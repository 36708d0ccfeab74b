import "./styles/app.css";
import { mount } from "svelte";
import { start } from "./lib/i18n.svelte";
import AccountPage from "./account/AccountPage.svelte";

const target = document.getElementById("app");
if (target !== null) {
  start();
  mount(AccountPage, { target });
}
