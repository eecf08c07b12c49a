//! What the service says of itself.

use chat_types::account::Meta;
use chat_types::endpoint::GetMeta;
use chat_types::ws::SUBPROTOCOL;

use crate::api::{Answer, Api, Call, ok};
use crate::{OLDEST_CLIENT, VERSION};

/// The endpoints of this slice.
pub fn routes(api: Api) -> Api {
    api.route::<GetMeta, _, _>(get_meta)
}

async fn get_meta(call: Call<GetMeta>) -> Answer<Meta> {
    ok(Meta {
        version: VERSION.to_owned(),
        protocols: vec![SUBPROTOCOL.to_owned()],
        oldest_client: OLDEST_CLIENT.to_owned(),
        now: call.state.now(),
        limits: call.state.config.wire_limits(),
    })
}
