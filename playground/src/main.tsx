/** The playground: starts the page in the document. */

import { render } from "preact";

import { Connection } from "./api/http";
import { Service } from "./api/service";
import { App } from "./app";

const connection = new Connection(document.baseURI.split("#")[0]!);
render(<App service={new Service(connection)} />, document.getElementById("page")!);
