//! Sites that embed rooms.

use chat_types::endpoint::GetSite;
use chat_types::problem::ErrorCode;
use chat_types::room::Site;

use crate::api::{Answer, Api, Call, ok};
use crate::error::ApiError;

/// The endpoints of this slice.
pub fn routes(api: Api) -> Api {
    api.route::<GetSite, _, _>(get_site)
}

/// Asked by the front end's server for every page that embeds a room, so that all of them come from
/// one address: a configured site costs neither a read nor a rate. Others are looked up within a rate
/// of their own, for a replica whose configuration is newer.
async fn get_site(call: Call<GetSite>) -> Answer<Site> {
    let key = call.path.id("site")?;
    let state = &call.state;
    if let Some(site) = state.config.sites.iter().find(|site| site.key == key) {
        return ok(site.clone());
    }
    let rate = &state.rates.unknown_sites;
    rate.take(call.client.key(), state.now())?;
    let site = state.store.site(&key).await?;
    ok(site.ok_or_else(|| ApiError::new(ErrorCode::NotFound))?)
}
