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

async fn get_site(call: Call<GetSite>) -> Answer<Site> {
    call.limit_reads()?;
    let site = call.state.store.site(&call.path.id("site")?).await?;
    ok(site.ok_or_else(|| ApiError::new(ErrorCode::NotFound))?)
}
