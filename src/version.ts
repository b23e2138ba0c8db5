/** Version of this package, x.y.z: Kong's dump, the User-Agent and `--version`. A test holds it equal to package.json. */
export const VERSION = '2.1.0';
