import "./styles/app.css";
import { mount } from "svelte";
import { start } from "./lib/i18n.svelte";
import Admin from "./admin/Admin.svelte";

const target = document.getElementById("app");
if (target !== null) {
  start();
  mount(Admin, { target });
}
